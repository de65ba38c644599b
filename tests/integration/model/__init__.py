# SPDX-License-Identifier: Apache-2.0
"""A model of what pushd promises, clients that act as SDKs do, and the checker that compares both."""
