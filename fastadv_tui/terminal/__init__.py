"""How headless commands show things."""
