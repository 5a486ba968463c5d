//go:build tools

// Package monitoring pins what the monitoring bundle is built from. Nothing imports it.
package monitoring

import (
	_ "github.com/prometheus/node_exporter"
	_ "k8s.io/kube-state-metrics/v2"
)
