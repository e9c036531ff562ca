"""What one use of one equipment costs: terms and facts in, an outcome out. The words are those of docs/pricing.md."""
