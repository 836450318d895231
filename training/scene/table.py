"""A table of functions that each draw one activity."""


def table():
    """({activity: function}, the decorator that fills it)"""
    acts = {}

    def activity(gerund):
        def keep(function):
            acts[gerund] = function
            return function

        return keep

    return acts, activity
