"""What screens are made of: widgets that draw immutable data by lines and know neither engine nor network."""
