//go:build tools

// Package conformance pins Kubernetes' own end-to-end tests and what they run in pods. Nothing imports it.
package conformance

import (
	_ "k8s.io/kubernetes/test/e2e"
	_ "k8s.io/kubernetes/test/images/agnhost"
)
