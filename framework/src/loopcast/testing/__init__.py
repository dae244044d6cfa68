"""For the tests of a plugin: what every template promises, checked on data of its author.

A plugin's tests import this; nothing that runs does. :func:`check_template` holds a template to
what the core relies on, beyond what types can say, and names each promise that is broken::

    from loopcast.testing import check_template

    def test_it_keeps_the_promises_of_a_template():
        check_template(MyTemplate(), {"north": rows(500), "": rows(80)})

How good the models are is for the author's own tests.
"""

from loopcast.testing.context import fit_context
from loopcast.testing.promises import check_template

__all__ = ["check_template", "fit_context"]
