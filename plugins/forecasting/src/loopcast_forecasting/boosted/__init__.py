"""What other models say beyond the additive one, in proportion to what each is worth."""
