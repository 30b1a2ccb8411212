"""What nbval does not compare: pictures, of which the reference edition keeps none."""


def pytest_collectstart(collector):
    """Leave vector pictures out, as nbval leaves out the others."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml",)
