# SPDX-License-Identifier: Apache-2.0
"""The error a sandbox raises."""


class SandboxError(Exception):
    """Something the user can understand and do something about."""
