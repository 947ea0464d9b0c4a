"""No handler: it makes the sweepers of a worker begin at once, and again each second."""

from queueing.worker import sweeper

sweeper.EVERY_SECONDS = 1.0
