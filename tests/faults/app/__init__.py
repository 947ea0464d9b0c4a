"""An application whose handlers write down what they do."""
