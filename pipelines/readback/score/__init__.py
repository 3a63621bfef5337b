"""Read-back of scores: the record engraved again and laid onto the crop's staves."""
