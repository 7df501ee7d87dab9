"""What a lab owns already, as drivers: one file a kind. Each brings the package that it needs only when it is imported."""
