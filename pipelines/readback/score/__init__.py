"""Read-back of scores: the record is engraved again and aligned with the crop's staves."""
