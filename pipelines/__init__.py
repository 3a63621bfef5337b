"""The steps that join parsers and models: ingest, layout, crop, convert, synthesis, training."""
