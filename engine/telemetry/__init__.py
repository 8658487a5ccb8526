"""Engines, dashboards and recorders that meet on an MQTT broker; nothing here loads a client before one is named."""
