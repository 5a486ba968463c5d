// Package v20170312 stands in for the SDK's package of the same path; see stubs/README.md.
package v20170312

import "errors"

var errNotBuiltIn = errors.New("tencent-vpc backend: not built in")

type (
	// Client refuses every request.
	Client struct{}
	// Filter selects route tables.
	Filter struct {
		Name   *string
		Values []*string
	}
	// Route is one route of a table.
	Route struct {
		RouteId, DestinationCidrBlock, GatewayType, GatewayId, RouteType *string
		Enabled                                                          *bool
	}
	// RouteTable is a table of routes.
	RouteTable struct {
		RouteTableId *string
		RouteSet     []*Route
	}
	// DescribeRouteTablesRequest asks for tables.
	DescribeRouteTablesRequest struct{ Filters []*Filter }
	// DescribeRouteTablesResponse would answer it.
	DescribeRouteTablesResponse struct {
		Response *struct{ RouteTableSet []*RouteTable }
	}
	// CreateRoutesRequest asks for new routes.
	CreateRoutesRequest struct {
		RouteTableId *string
		Routes       []*Route
	}
	// DeleteRoutesRequest asks to drop routes.
	DeleteRoutesRequest = CreateRoutesRequest
)

// NewClientWithSecretId makes a client that refuses every request.
func NewClientWithSecretId(_, _, _ string) (*Client, error) { return nil, errNotBuiltIn }

// NewDescribeRouteTablesRequest makes an empty request.
func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}

// NewCreateRoutesRequest makes an empty request.
func NewCreateRoutesRequest() *CreateRoutesRequest { return &CreateRoutesRequest{} }

// NewDeleteRoutesRequest makes an empty request.
func NewDeleteRoutesRequest() *DeleteRoutesRequest { return &DeleteRoutesRequest{} }

// DescribeRouteTables refuses.
func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errNotBuiltIn
}

// CreateRoutes refuses.
func (*Client) CreateRoutes(*CreateRoutesRequest) (any, error) { return nil, errNotBuiltIn }

// DeleteRoutes refuses.
func (*Client) DeleteRoutes(*DeleteRoutesRequest) (any, error) { return nil, errNotBuiltIn }
