//go:build tools

// Package sampleapiserver pins the aggregated API that Kubernetes' own end-to-end tests install. Nothing imports it.
package sampleapiserver

import _ "k8s.io/sample-apiserver"
