/* Ticker: sales as they happen. */

function showSale() {}
