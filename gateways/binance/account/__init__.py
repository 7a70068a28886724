"""What requests return: past orders and fills, symbol rules, the account; and the checks of them."""
