"""The courses' experiments as data, run on both backends, and the page that holds published and found side by side."""
