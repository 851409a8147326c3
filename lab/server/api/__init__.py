"""What programs can ask for: JSON, CSV, figures and Prometheus' text format."""
