"""Music of a picture: staves, and symbols on them."""
