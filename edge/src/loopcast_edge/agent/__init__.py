"""The agent on the device: fetches, proves and runs models, and sends home what they met."""
