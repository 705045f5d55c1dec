# SPDX-License-Identifier: Apache-2.0
"""The servers of a sandbox, each a process: ``-m sandbox.servers.NAME``."""
