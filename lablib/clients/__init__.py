"""Foreign faces on the front door: boto3's, and a plain one for the lab's own actors."""
