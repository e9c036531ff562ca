"""The dossier of a claim: one file from which its amount can be found again, down to the raw readings."""
