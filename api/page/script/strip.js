/* Strip: what the shop sold, and how current that is. */
