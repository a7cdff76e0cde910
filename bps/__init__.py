"""What to run: the campaign, its plan, and the BPS submit configs made from them."""
