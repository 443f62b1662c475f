"""The networks that read a sequence of steps, whatever the steps were read from."""

from fathom.networks.sequences import cnn, gru, lstm, rnn, transformer
from fathom.networks.sequences.contract import SequenceModule, SequenceNetwork

SEQUENCES: tuple[SequenceNetwork, ...] = (cnn, rnn, gru, lstm, transformer)

__all__ = ["SEQUENCES", "SequenceModule", "SequenceNetwork"]
