"""What the words of the report mean, in plain words."""

TERMS: dict[str, str] = {
    "row": "One line of the table: one home, one customer, one measurement.",
    "column": "One kind of fact about every row. The network reads the input columns to predict the target column.",
    "target": "The column that is predicted.",
    "training rows": "The rows that the models learn from.",
    "validation rows": "Rows kept apart from training, used for choices: when to stop, which setting to take.",
    "test rows": (
        "Rows that no model saw and no choice used. They are opened once, at the end; every further look "
        "at them is counted, because scores that are looked at often become too good to be true."
    ),
    "network": "A deep neural network: the model that this program trains.",
    "baseline": "A simpler model that the network must beat to be worth its cost.",
    "verdict": "Whether the network beats the best baseline by more than chance explains, and by enough to matter.",
    "95 % interval": (
        "How far a number could be off because the test rows are only some of all possible rows. Over "
        "many such tables, the interval holds the true number about 95 times in 100."
    ),
    "parameters": "The numbers inside a network that training sets.",
    "loss": "What training makes small: how wrong the predictions are, as one number.",
    "epoch": "One pass of training over all training rows.",
    "best epoch": "The epoch with the best score on the validation rows; the network of that epoch is kept.",
    "learning rate": "How large the steps of training are.",
    "confusion matrix": (
        "For each true class, how many of its rows were predicted as each class. Rows on the diagonal are right."
    ),
    "residual": "The predicted number minus the true one: above zero the prediction was too high.",
    "calibration": "Whether a stated chance means what it says: of all rows given 70 %, about 70 % should be so.",
    "coverage": (
        "The share of rows whose true number lies inside the predicted interval. A 90 % interval should hold 90 %."
    ),
    "permutation importance": (
        "How much worse the predictions get when one column's values are shuffled among the rows. It says"
        " what this model uses, not what causes the target; columns that say the same share their "
        "importance."
    ),
    "modality": "What kind of column it is: number, category, date, text. It decides how the values become numbers.",
    "confidence": (
        "How sure the program is that a column is of its modality. You can overrule it, for example with "
        "--columns\u00a0zip=category."
    ),
    "bundle": "The folder that holds the fitted model and all that is needed to predict new rows.",
    "seed": "The number that all chance in the run starts from. The same seed and the same rows give the same result.",
}

METRICS: dict[str, str] = {
    "f1": "F1",
    "mae": "MAE",
    "mse": "MSE",
    "r2": "R²",
    "rmse": "RMSE",
    "roc_auc": "ROC AUC",
}


def metric_name(metric: str) -> str:
    """Return a metric's name as people write it inside a sentence.

    >>> metric_name("r2"), metric_name("log_loss")
    ('R²', 'log loss')
    """
    return METRICS.get(metric, metric.replace("_", " "))
