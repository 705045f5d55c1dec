# SPDX-License-Identifier: Apache-2.0

"""OpenStackClient commands on the Python API."""
