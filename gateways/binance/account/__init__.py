"""What REST tells: orders and fills of the past, rules of symbols, the account; and checks of it."""
