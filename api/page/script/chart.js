/* Charts: small lines of a history. */
