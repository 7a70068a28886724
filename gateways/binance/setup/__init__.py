"""What the gateway is started with: its part of the settings, the API keys, the format of its log."""
