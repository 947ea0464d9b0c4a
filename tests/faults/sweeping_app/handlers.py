"""No handler: the module makes the sweepers of a worker begin immediately, and again each second."""

from queueing.worker import sweeper

sweeper.EVERY_SECONDS = 1.0
