"""What is left when something dies: kill loops, crash points, stores in trouble; and a checker that trusts nobody."""
