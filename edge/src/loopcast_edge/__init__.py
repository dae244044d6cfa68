"""The loopcast agent on the device, and the wire protocol that it shares with the centre."""

__version__ = "0.1.0"
