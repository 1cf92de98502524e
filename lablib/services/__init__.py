"""The simulated services: state machines in AWS's words, one file a service, named as boto3 names it."""
