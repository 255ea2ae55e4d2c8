"""What must hold in every row that is made, one file each, and how it is kept."""
