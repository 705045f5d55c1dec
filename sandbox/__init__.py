# SPDX-License-Identifier: Apache-2.0
"""A small OpenStack cloud on the loopback interface, in one command.

``python -m sandbox start`` runs Keystone, Mistral and Trove, all from
PyPI packages, without root, a message broker or a database server.
:class:`sandbox.cloud.Sandbox` does the same from Python.

Real, the projects' own code and state machines:

* Keystone: tokens, domains, roles, policy, trusts, application
  credentials, the service catalogue;
* Mistral: policy, validation, cron triggers and their firing with a
  trust, the workflow engine, the OpenStack actions of mistral-extra;
* Trove: policy, validation, quota, paging, the API, task manager and
  conductor, and the states of instances and backups.

Simulated:

* the guest agent in each database instance. It speaks Trove's RPC and
  reports to the conductor as a real one does, but **no database is
  dumped, and none can be restored**;
* Nova, Neutron, Cinder and Swift. They answer what Trove asks and **check
  no token**; the "backup" they store is a few bytes of text;
* creating, resizing or restarting instances through Trove's API does
  not work: instances are seeded, see :mod:`sandbox.seed`.

This module imports nothing on purpose: Trove's process has to patch the
standard library before anything else is loaded.
"""
