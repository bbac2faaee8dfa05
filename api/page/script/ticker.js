/* Ticker: sales as they happen. */
