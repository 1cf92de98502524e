"""Budgets of the workbench."""


def standard_run():
    raise NotImplementedError


def slider_to_paint():
    raise NotImplementedError
