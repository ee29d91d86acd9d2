"""Kubernetes operator of MailRaven."""
