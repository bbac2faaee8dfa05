/* Periods: the switch between them. */
