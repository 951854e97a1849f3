"""What other toolstacks must see of our guests, and what we read of theirs."""
