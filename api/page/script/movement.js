/* Movement: places since the period before. */
