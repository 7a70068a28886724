"""The gateway process for Binance USD-M futures."""
