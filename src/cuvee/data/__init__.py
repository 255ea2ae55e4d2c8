"""What data is: tables, their schema, the kinds of columns, and the way in and out through Arrow."""
