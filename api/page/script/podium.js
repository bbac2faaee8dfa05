/* Podium: the first three of a board. */
