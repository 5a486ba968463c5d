//go:build tools

// Package metricsserver pins what the conformance bundle's aggregated API is built from. Nothing imports it.
package metricsserver

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
