"""What outside agents speak, without sockets and without a clock: messages in, messages out."""
