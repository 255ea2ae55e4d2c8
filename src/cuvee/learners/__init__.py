"""The downstream models that utility and detection are measured with."""
